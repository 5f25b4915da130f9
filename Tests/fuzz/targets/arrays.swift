@testable import Postgres

/// Arrays as PostgreSQL prints them: what was read is read again from what we would send.
func check(_ input: Input) {
    guard let elements = [String](postgresText: input.text) else { return }
    guard case .text(let sent) = Parameter(elements).storage else { return require(false, "an array is sent as text") }
    let again = [String](postgresText: sent)
    require(again?.count == elements.count, "\(sent.debugDescription) has as many elements")
    require(zip(again ?? [], elements).allSatisfy { $0.isIdentical(to: $1) }, "\(sent.debugDescription) is the same")
}

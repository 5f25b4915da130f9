/// What comes before the body of an answer.
public struct HTTPHead: Hashable, Sendable {
    /// 200 and its like.
    public var status: Int
    /// The fields, without trailers, which are yet to come.
    public var headers: HTTPHeaders

    public init(status: Int, headers: HTTPHeaders) {
        self.status = status
        self.headers = headers
    }
}

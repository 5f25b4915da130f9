/// `concierge ask`: one question, its answer, and where each line of it comes from.
let askCommands = [
    Command(
        words: ["ask"], operands: "\"QUESTION\"",
        summary: "Asks as a person at an event; what the answer cites stands under it.",
        options: dialogueOptions
    ) { invocation in
        guard invocation.operands.count == 1 else {
            throw UsageError(message: "one question, in quotes", command: invocation.command)
        }
        return try Dialogue(invocation, showsDrafts: true).ask(invocation.operands[0]).failed ? 1 : 0
    }
]

/// Types that are cheap to choose well today and dear to change later.
let typeRules: [LintRule] = [
    LintRule(
        "T401", "key-runs-out",
        reason: "a 32-bit key that counts ends at 2147483647, and making it larger rewrites the table",
        fix: "bigint generated always as identity"
    ) { scene in
        scene.eachColumn { column, table in
            let type = column.typeName.names.words.last ?? ""
            let isShort = ["int4", "int2", "serial", "serial4", "smallserial", "serial2"].contains(type)
            let counts =
                isSerial(column)
                || column.constraints.nodes.contains {
                    ["CONSTR_IDENTITY", "CONSTR_PRIMARY"].contains($0.contype.text)
                }
            guard isShort, counts else { return nil }
            return "\(table).\(column.colname.text ?? "") runs out of numbers"
        }
    },
    LintRule(
        "T402", "serial",
        reason: "a serial's sequence has grants and an owner of its own, and any insert may pass it by",
        fix: "bigint generated always as identity"
    ) { scene in
        scene.eachColumn { column, table in
            isSerial(column)
                ? "\(table).\(column.colname.text ?? "") hangs on a sequence beside the table" : nil
        }
    },
    LintRule(
        "T403", "time-without-zone",
        reason:
            "a timestamp without time zone is no point in time: sessions in two zones read it differently",
        fix: "timestamptz"
    ) { scene in
        scene.eachColumn { column, table in
            let isLocal = column.typeName.names.words.last == "timestamp"
            return isLocal ? "\(table).\(column.colname.text ?? "") says no zone" : nil
        }
    },
    LintRule(
        "T404", "padded-text",
        reason: "char(n) pads with blanks that some functions see and others do not",
        fix: "text, with a check on its length where there is a rule"
    ) { scene in
        scene.eachColumn { column, table in
            let type = column.typeName.names.words.last
            return type == "bpchar" ? "\(table).\(column.colname.text ?? "") is padded with blanks" : nil
        }
    },
    LintRule(
        "T405", "length-in-type",
        reason:
            "a length in the type is changed by ALTER TYPE under ACCESS EXCLUSIVE, and shortening rewrites",
        fix: "text, with a named check on its length, which can be changed NOT VALID"
    ) { scene in
        scene.eachColumn { column, table in
            let type = column.typeName
            guard type.names.words.last == "varchar", !type.typmods.nodes.isEmpty else { return nil }
            return "\(table).\(column.colname.text ?? "") has its length in its type"
        }
    },
    LintRule(
        "T406", "name-too-long",
        reason: "the server cuts names after 63 bytes, so two long ones can become the same",
        fix: "a shorter name"
    ) { scene in
        scene.statement.tokens.filter { token in
            let isQuoted = token.hasPrefix("\"")
            let isName = isQuoted || token.utf8.first.map(isWordStart) == true && !token.hasSuffix("'")
            return isName && token.utf8.count > (isQuoted ? 65 : 63)
        }.map { "\($0) is cut after 63 bytes" }
    },
]

extension String {
    /// Every byte as `%XX` but letters, digits, `-._~` and what is given besides.
    func percentEncoded(except allowed: String = "") -> String {
        utf8.map { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: String(Unicode.Scalar(byte))
            case _ where allowed.utf8.contains(byte): String(Unicode.Scalar(byte))
            default: (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }
}

// The whole of OpenSSL that Swift sees. Sources/Daemon/Signature.swift is its only importer.
#include <openssl/evp.h>
#include <openssl/hmac.h>

// Writes the 32 bytes of HMAC-SHA256 (RFC 2104, FIPS 180-4) and returns 1; 0 when OpenSSL refuses.
static inline int
hmac_sha256(const unsigned char *key, int key_length, const unsigned char *text, size_t length, unsigned char *mac)
{
    unsigned int size = 0;

    return HMAC(EVP_sha256(), key, key_length, text, length, mac, &size) != NULL && size == 32;
}

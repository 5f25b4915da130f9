// The whole of OpenSSL that Swift sees. Its importers: Sources/Daemon/Signature.swift, Sources/Models/Signing/.
#include <openssl/evp.h>
#include <openssl/hmac.h>

// Writes the 32 bytes of HMAC-SHA256 (RFC 2104, FIPS 180-4) and returns 1; 0 when OpenSSL refuses.
static inline int
hmac_sha256(const unsigned char *key, int key_length, const unsigned char *text, size_t length, unsigned char *mac)
{
    unsigned int size = 0;

    return HMAC(EVP_sha256(), key, key_length, text, length, mac, &size) != NULL && size == 32;
}

// Writes the 32 bytes of SHA-256 (FIPS 180-4) and returns 1; 0 when OpenSSL refuses.
static inline int
sha256(const unsigned char *text, size_t length, unsigned char *digest)
{
    unsigned int size = 0;

    return EVP_Digest(text, length, digest, &size, EVP_sha256(), NULL) == 1 && size == 32;
}

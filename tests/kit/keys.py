"""RSA and AES as the doubles of services need them: signatures are verified, session keys and messages encrypted.

Nothing here is fast or safe against anybody who measures time: tests only. AES is libcrypto's, the rest is arithmetic."""

import base64
import ctypes
import functools
import hashlib
import secrets

DIGESTS = {"sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
           "sha256": bytes.fromhex("3031300d060960864801650304020105000420")}


def number(text):
    return int.from_bytes(base64.b64decode(text, validate=True), "big")


def unpadded(text):
    """The bytes of base64url without padding."""
    if "=" in text or "+" in text or "/" in text:
        raise ValueError("this is no base64url without padding")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


class PublicKey:
    def __init__(self, modulus, exponent):
        self.n, self.e = modulus, exponent
        self.size = (modulus.bit_length() + 7) // 8

    def opened(self, signature):
        if len(signature) != self.size:
            raise ValueError(f"a signature of {len(signature)} bytes, the key has {self.size}")
        return pow(int.from_bytes(signature, "big"), self.e, self.n).to_bytes(self.size, "big")

    def verify(self, algorithm, text, signature):
        """Whether SIGNATURE of TEXT is by this key; ALGORITHM: RS256 or PS256, nothing else."""
        try:
            return {"RS256": self._pkcs1, "PS256": self._pss}[algorithm](text, signature)
        except (KeyError, ValueError):
            return False

    def _pkcs1(self, text, signature):
        digest = DIGESTS["sha256"] + hashlib.sha256(text).digest()
        return self.opened(signature) == b"\0\1" + b"\xff" * (self.size - 3 - len(digest)) + b"\0" + digest

    def _pss(self, text, signature):
        """RFC 8017, 9.1.2, with a salt of 32 bytes."""
        block, salt_size, bits = self.opened(signature), 32, self.n.bit_length() - 1
        block = block[self.size - (bits + 7) // 8:]
        masked, digest, end = block[:-33], block[-33:-1], block[-1]
        if end != 0xbc or masked[0] >> (8 - (8 * len(block) - bits)):
            return False
        data = bytearray(exclusive(masked, stretched(digest, len(masked), hashlib.sha256)))
        data[0] &= 0xff >> (8 * len(block) - bits)
        salt = bytes(data[-salt_size:])
        if bytes(data[:-salt_size]) != b"\0" * (len(data) - salt_size - 1) + b"\1":
            return False
        return hashlib.sha256(b"\0" * 8 + hashlib.sha256(text).digest() + salt).digest() == digest

    def encrypt(self, data, digest):
        """RSA-OAEP with DIGEST ("sha1", "sha256") for both of its uses and an empty label."""
        make = getattr(hashlib, digest)
        size = make().digest_size
        block = make(b"").digest() + b"\0" * (self.size - len(data) - 2 * size - 2) + b"\1" + data
        seed = secrets.token_bytes(size)
        masked = exclusive(block, stretched(seed, len(block), make))
        seed = exclusive(seed, stretched(masked, size, make))
        return pow(int.from_bytes(b"\0" + seed + masked, "big"), self.e, self.n).to_bytes(self.size, "big")


def exclusive(one, other):
    return bytes(a ^ b for a, b in zip(one, other))


def stretched(seed, size, make):
    """MGF1."""
    out, count = b"", 0
    while len(out) < size:
        out += make(seed + count.to_bytes(4, "big")).digest()
        count += 1
    return out[:size]


def aes_cbc(key, iv, data):
    """DATA with PKCS#7 padding, encrypted."""
    lib = crypto()
    out, size, more = ctypes.create_string_buffer(len(data) + 16), ctypes.c_int(), ctypes.c_int()
    context = lib.EVP_CIPHER_CTX_new()
    try:
        good = lib.EVP_EncryptInit_ex(context, lib.EVP_get_cipherbyname(f"AES-{8 * len(key)}-CBC".encode()), None, key, iv) and \
            lib.EVP_EncryptUpdate(context, out, ctypes.byref(size), data, len(data)) and \
            lib.EVP_EncryptFinal_ex(context, ctypes.byref(out, size.value), ctypes.byref(more))
    finally:
        lib.EVP_CIPHER_CTX_free(context)
    if not good:
        raise ValueError("libcrypto does not encrypt")
    return out.raw[:size.value + more.value]


@functools.cache
def crypto():
    """libcrypto, which the runner needs, too: a program for each message would be most of the time that a job takes."""
    lib = ctypes.CDLL("libcrypto.so.3")
    pointer = ctypes.c_void_p
    for name, result, arguments in (
            ("EVP_CIPHER_CTX_new", pointer, []), ("EVP_CIPHER_CTX_free", None, [pointer]), ("EVP_get_cipherbyname", pointer, [ctypes.c_char_p]),
            ("EVP_EncryptInit_ex", ctypes.c_int, [pointer, pointer, pointer, ctypes.c_char_p, ctypes.c_char_p]),
            ("EVP_EncryptUpdate", ctypes.c_int, [pointer, pointer, pointer, ctypes.c_char_p, ctypes.c_int]),
            ("EVP_EncryptFinal_ex", ctypes.c_int, [pointer, pointer, pointer])):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib

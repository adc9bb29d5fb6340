"""Text of users in generated code: one function a language."""


def c_string(text: str) -> str:
    r"""``text`` as a C string literal with its quotes, in ASCII: ``"a \"b\"\303\251"``; bytes are those of UTF-8.

    Octal escapes have three digits, so what follows can't be read as part of them; nor are there trigraphs.
    """
    plain = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\?')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode()) + '"'

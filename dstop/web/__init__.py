"""The live screen in a browser: textual-serve's terminal page, behind a token, with one dstop a tab."""

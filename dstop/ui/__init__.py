"""The live screen: the only folder that knows Textual."""

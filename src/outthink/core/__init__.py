"""The nouns and protocols everything else is written in. No input or output happens here."""

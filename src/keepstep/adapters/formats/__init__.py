"""One reader and one writer per text format; `docs/text.md` says how text is treated and what is lost."""

"""One module per kind of record, in plain SQL; in the good case one round trip per call."""

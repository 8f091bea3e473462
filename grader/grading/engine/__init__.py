"""The trusted process that grades one exercise: it runs the hidden suite, decides outcomes and explains failures."""

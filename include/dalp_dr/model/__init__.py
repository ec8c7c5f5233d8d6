"""The nouns of a drill: environment, plan, recovery point, check, verdict, record."""

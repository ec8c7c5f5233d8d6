"""Bad weather before a real server: a proxy that answers, cuts or delays by rules, and lets everything else through."""

"""One file a study, each run by a make target (the search by 05) and each writing one json and its figure."""

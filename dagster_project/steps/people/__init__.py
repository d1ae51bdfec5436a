"""Steps about people: who is who, who may be written to, who belongs where, who is forgotten."""

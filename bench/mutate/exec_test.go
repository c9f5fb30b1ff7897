package mutate

const childVariable = "MUTATE_CHILD"

func runChild(string) {}

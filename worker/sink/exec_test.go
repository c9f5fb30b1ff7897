package sink
func childMain(string) int { return 0 }

module modelpool.dev/bench/load

go 1.26

"""`modelpool demo` shows the main job: `ask` asks as users do, `script` is what happens, `table` shows it."""

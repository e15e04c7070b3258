// One client as a program: `node asked.mjs NAME` reads a line of JSON for each call and answers it with one.
//
// A line in: {"call": "chat", "url": "http://…", "models": {"thinks", "sees", "embeds", "endless"}, "said": {…}}, where
// `said` is what is asked: the same for all clients of this case. A line out: {"value": …} or {"error": "…"}; the first
// is `ready`.
import { createInterface } from 'node:readline'

const { calls } = await import(`./${process.argv[2]}.mjs`)

console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const { call, ...asked } = JSON.parse(line)
  try {
    console.log(JSON.stringify({ value: await calls[call](asked) }))
  } catch (error) {
    console.log(JSON.stringify({ error: `${error?.name}: ${error?.message}`, stack: error?.stack }))
  }
}

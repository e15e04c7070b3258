// Vercel's AI SDK with the older of the providers for Ollama.
import { createOllama } from 'ollama-ai-provider-v2'
import { callsOf } from './ai.mjs'

const provider = (url) => {
  const made = createOllama({ baseURL: `${url}/api` })
  return { chat: (model) => made(model), embedding: (model) => made.embedding(model) }
}

export const calls = callsOf(provider, { thinking: { ollama: { think: true } } })

// Vercel's AI SDK with the provider that is built on Ollama's own client.
import { createOllama } from 'ai-sdk-ollama'
import { callsOf } from './ai.mjs'

const provider = (url) => {
  const made = createOllama({ baseURL: url })
  return { chat: (model) => made(model, { think: model === thinker ? true : undefined }), embedding: made.embedding }
}
let thinker

const plain = callsOf(provider)
export const calls = {
  ...plain,
  // This provider takes the wish to think with the model.
  async thinking(asked) {
    thinker = asked.models.thinks
    try {
      return await plain.thinking(asked)
    } finally {
      thinker = undefined
    }
  },
}

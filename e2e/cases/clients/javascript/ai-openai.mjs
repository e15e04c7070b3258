// Vercel's AI SDK with OpenAI's provider, which asks for responses.
import { createOpenAI } from '@ai-sdk/openai'
import { callsOf } from './ai.mjs'

const provider = (url) => {
  const made = createOpenAI({ baseURL: `${url}/v1`, apiKey: 'none' })
  return { chat: (model) => made.responses(model), embedding: (model) => made.embedding(model) }
}

export const calls = callsOf(provider, { thinking: { openai: { reasoningEffort: 'high' } } })

// Vercel's AI SDK with OpenAI's provider: chat completions, and the responses that it asks for by itself.
import { generateText } from 'ai'
import { createOpenAI } from '@ai-sdk/openai'
import { callsOf } from './ai.mjs'

const provider = (url) => {
  const made = createOpenAI({ baseURL: `${url}/v1`, apiKey: 'none' })
  return { responses: made.responses, chat: (model) => made.chat(model), embedding: (model) => made.embedding(model) }
}

export const calls = {
  ...callsOf(provider),
  async responses({ url, models, said }) {
    const answer = await generateText({ maxRetries: 0, model: provider(url).responses(models.sees), prompt: said.ask })
    return { text: answer.text, tokens: answer.usage.outputTokens }
  },
}

// Vercel's AI SDK with its provider for servers that speak OpenAI's chat completions.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { callsOf } from './ai.mjs'

const provider = (url) => {
  const made = createOpenAICompatible({
    name: 'modelpool', baseURL: `${url}/v1`, supportsStructuredOutputs: true, includeUsage: true,
  })
  return { chat: made.chatModel, embedding: made.embeddingModel ?? made.textEmbeddingModel }
}

export const calls = callsOf(provider, { thinking: { modelpool: { reasoningEffort: 'high' } } })

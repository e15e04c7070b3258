// Vercel's AI SDK with Anthropic's provider.
import { createAnthropic } from '@ai-sdk/anthropic'
import { callsOf } from './ai.mjs'

const provider = (url) => ({ chat: createAnthropic({ baseURL: `${url}/v1`, apiKey: 'none' }) })

export const calls = callsOf(provider, {
  thinking: { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } }, embeds: false,
})

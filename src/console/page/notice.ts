import type { FastifyReply, FastifyRequest } from 'fastify'

// What an action says is shown once, on the page that it leads to: it travels in a cookie that the page takes away, for
// it may name what no address may hold.

const COOKIE = 'console_notice'
const LIFE_SECONDS = 60
const MOST_CHARACTERS = 1_000

/** Keeps a sentence for the next page. */
export const writeNotice = (reply: FastifyReply, sentence: string): void => {
  const value = sentence.slice(0, MOST_CHARACTERS)
  reply.setCookie(COOKIE, value, { path: '/', httpOnly: true, sameSite: 'strict', maxAge: LIFE_SECONDS })
}

/** The sentence that was kept for this page; null: none. */
export const takeNotice = (request: FastifyRequest, reply: FastifyReply): string | null => {
  const kept = request.cookies[COOKIE]
  if (kept === undefined) return null
  reply.clearCookie(COOKIE, { path: '/' })
  return kept
}

import { expect } from 'vitest'
import { OUTCOMES } from '../../src/simulator/outcomes.ts'
import type { WrongReply } from '../../src/simulator/wrong-reply.ts'

export type AskRaw = () => Promise<{ status: number; contentType: unknown; text: string }>

/** Holds what a call gets against the wrong reply that it is to get. */
export const expectWrong = async (wrong: WrongReply, ask: AskRaw): Promise<void> => {
  switch (wrong.kind) {
    case 'error': {
      const answer = await ask()
      expect(answer.status).toBe(wrong.error.status)
      expect(JSON.parse(answer.text)).toEqual({
        requestId: expect.any(String),
        errorCode: wrong.error.code,
        errorMessage: wrong.error.message,
      })
      return
    }
    case 'page':
      expect(await ask()).toMatchObject({ status: wrong.status, text: wrong.body })
      return
    case 'status':
      expect(await ask()).toMatchObject({ status: wrong.status, text: expect.stringContaining('{') })
      return
    case 'half': {
      const answer = await ask()
      expect(answer.status).toBe(200)
      expect(() => JSON.parse(answer.text)).toThrow(SyntaxError)
      return
    }
    case 'cut':
      await expect(ask()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
      return
    case 'cut-midway':
      await expect(ask()).rejects.toThrow(/terminated|other side closed|aborted/)
      return
    case 'late':
      expect(await ask()).toMatchObject({ status: 200 })
      return
    case 'silence':
      return
    default:
      wrong satisfies never
  }
}

const isSilence = (wrong: WrongReply | null | undefined): boolean => wrong?.kind === 'silence'

export const answersOf = (kind: 'refused' | 'prompted') =>
  OUTCOMES.flatMap(({ name, does: { answer } }) =>
    answer?.kind === kind && 'wrong' in answer && !isSilence(answer.wrong)
      ? [[name, answer.wrong] as const]
      : [],
  )

export const faultsOf = (key: 'queryFault' | 'tokenFault' | 'pullFault') =>
  OUTCOMES.flatMap(({ name, does }) => {
    const wrong = does[key]
    return wrong && !isSilence(wrong) ? [[name, wrong] as const] : []
  })

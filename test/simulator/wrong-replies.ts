import { expect } from 'vitest'
import { type Behaviour, OUTCOMES } from '../../src/simulator/outcomes.ts'
import { SILENCE, type WrongReply } from '../../src/simulator/wrong-reply.ts'

export type AskRaw = () => Promise<{ status: number; contentType: unknown; text: string }>

const EDGE =
  '<html><body>Request unsuccessful. Incapsula incident ID: 1234000560123456789-987654321012345678</body></html>'

/** What a body is that the documentation describes so. */
const BODIES: Record<string, unknown> = {
  "the edge's HTML": EDGE,
  HTML: '<html><body><h1>504 Gateway Time-out</h1></body></html>',
  'an empty body': '',
  'an Apigee fault that names the token':
    '{"fault":{"faultstring":"Invalid Access Token","detail":{"errorcode":"keymanagement.service.invalid_access_token"}}}',
  'an Apigee fault that does not name the token':
    '{"fault":{"faultstring":"Invalid ApiKey for given resource","detail":{"errorcode":"oauth.v2.InvalidApiKeyForGivenResource"}}}',
  'the right answer': expect.stringMatching(/^\{.*\}$/),
  'half of the JSON': expect.stringMatching(/^\{[^}]*$/),
}

/** Holds what a call gets against what the documentation says that it gets. */
export const expectWrong = async ({ says }: WrongReply, ask: AskRaw): Promise<void> => {
  if (says === 'connection cut without an answer') {
    await expect(ask()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
    return
  }
  if (says === 'connection cut in the midst of the answer') {
    await expect(ask()).rejects.toThrow(/terminated|other side closed|aborted/)
    return
  }
  const answer = await ask()
  if (says === 'answered after 20 delays') {
    expect(answer).toMatchObject({ status: 200 })
    return
  }
  const [, refusedWith, errorCode, errorMessage] = /^HTTP (\d+), (\S+) (.+)$/.exec(says) ?? []
  if (refusedWith !== undefined) {
    expect(answer.status).toBe(Number(refusedWith))
    expect(JSON.parse(answer.text)).toEqual({ requestId: expect.any(String), errorCode, errorMessage })
    return
  }
  const [, status, what = ''] = /^HTTP (\d+) with (.+)$/.exec(says) ?? []
  expect(Object.keys(BODIES)).toContain(what)
  expect(answer).toMatchObject({ status: Number(status), text: BODIES[what] })
}

const named = (wrongOf: (does: Behaviour) => WrongReply | undefined, call?: string) =>
  OUTCOMES.flatMap((outcome) => {
    const wrong = wrongOf(outcome.does)
    if (wrong === undefined || wrong === SILENCE || (call && outcome.call !== call)) return []
    return [[outcome.name, wrong] as const]
  })

/** The outcomes of a push that is answered wrongly, but for silence, by whether its payer is prompted. */
export const answersOf = (prompted: boolean) =>
  named(({ answer }) =>
    answer !== 'after-callback' && answer?.prompted === prompted ? answer.wrong : undefined,
  )

/** The outcomes of another call that is answered wrongly, but for silence. */
export const faultsOf = (call: 'query' | 'token' | 'pull') => named(({ fault }) => fault, call)

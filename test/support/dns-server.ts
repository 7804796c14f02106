import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { isIP } from 'node:net'
import { type DecodedPacket, type Answer as DnsRecord, decode, encode } from 'dns-packet'

/**
 * How one query is answered: with these addresses (those of its family; what is no address is an alias, and what follows is
 * the alias's), with an error, or badly. `silence`: not at all. `truncated`: come again by TCP, where nobody listens. `garbage`:
 * what is no answer.
 */
export type DnsAnswer =
  | readonly string[]
  | 'NXDOMAIN'
  | 'SERVFAIL'
  | 'REFUSED'
  | 'silence'
  | 'truncated'
  | 'garbage'

/** A name server of a test's own, over UDP. What nobody told it of is NXDOMAIN. */
export type DnsServer = {
  /** Where it listens, as `createResolver` and `DELIVERY_NAME_SERVERS` take it. */
  address: string
  /**
   * What a name (`*`: every other) leads to from now on: the first query of either family gets the first answer, and so on;
   * the last one stays.
   */
  answer(name: string, ...answers: readonly DnsAnswer[]): void
  /** The same for the queries of one family, whatever is said for both. */
  answerOf(type: 'A' | 'AAAA', name: string, ...answers: readonly DnsAnswer[]): void
  /** From now on each answer leaves so many ms after its query. */
  answerAfter(ms: number): void
  /** Everything that was asked, in its order: `A shop.co.ke`. */
  queries: string[]
  close(): Promise<void>
}

/** Response codes (RFC 1035, 4.1.1) and the bit of a truncated answer. */
const FLAGS = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5, truncated: 1 << 9 } as const

/** Says that nine answers follow, and sends none. */
const GARBAGE = Buffer.from([0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])

export const startDnsServer = async (): Promise<DnsServer> => {
  const zone = new Map<string, readonly DnsAnswer[]>()
  const queries: string[] = []
  const asked = new Map<string, number>()
  const leaving = new Set<NodeJS.Timeout>()
  let delayMs = 0
  const socket = createSocket('udp4')

  const next = (name: string, query: string): DnsAnswer => {
    const count = asked.get(query) ?? 0
    asked.set(query, count + 1)
    const answers = zone.get(query) ?? zone.get(name) ?? zone.get('*') ?? []
    return answers[count] ?? answers.at(-1) ?? 'NXDOMAIN'
  }

  const onMessage = (message: Buffer, from: RemoteInfo): void => {
    const packet = decode(message)
    const [question] = packet.questions ?? []
    if (question === undefined) return
    const query = `${question.type} ${question.name}`
    queries.push(query)
    const reply = toReply(packet, next(question.name, query))
    if (reply === null) return
    const timer = setTimeout(() => {
      leaving.delete(timer)
      socket.send(reply, from.port, from.address)
    }, delayMs)
    leaving.add(timer)
  }

  socket.on('message', onMessage)
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    answer: (name, ...answers) => {
      zone.set(name, answers)
      for (const type of ['A', 'AAAA']) asked.delete(`${type} ${name}`)
    },
    answerOf: (type, name, ...answers) => {
      zone.set(`${type} ${name}`, answers)
      asked.delete(`${type} ${name}`)
    },
    answerAfter: (ms) => {
      delayMs = ms
    },
    queries,
    close: async () => {
      for (const timer of leaving) clearTimeout(timer)
      socket.close()
      await once(socket, 'close')
    },
  }
}

const toReply = (query: DecodedPacket, answer: DnsAnswer): Buffer | null => {
  const { id = 0, questions = [] } = query
  if (answer === 'silence') return null
  if (answer === 'garbage') return Buffer.concat([Buffer.from([id >> 8, id & 0xff]), GARBAGE])
  const reply = { type: 'response', id, questions } as const
  if (typeof answer === 'string') return encode({ ...reply, flags: FLAGS[answer] })
  const [{ name, type } = { name: '', type: 'A' }] = questions
  return encode({ ...reply, answers: toRecords({ name, type, texts: answer }) })
}

/** Records live for an hour, so that whoever keeps them is found out. */
const TTL_SECONDS = 3600

const toRecords = (options: { name: string; type: string; texts: readonly string[] }): DnsRecord[] => {
  let owner = options.name
  return options.texts.flatMap((text): DnsRecord[] => {
    const record = { name: owner, ttl: TTL_SECONDS, data: text }
    const type = isIP(text) === 0 ? 'CNAME' : isIP(text) === 4 ? 'A' : 'AAAA'
    if (type === 'CNAME') owner = text
    return type === 'CNAME' || type === options.type ? [{ ...record, type }] : []
  })
}

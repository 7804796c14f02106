import { type RawBuilder, sql } from 'kysely'
import { connect, DiscardPolicy, RetentionPolicy, StorageType } from 'nats'
import { crashPointNames } from '../../scripts/tidy/crash-points.ts'
import { readProject } from '../../scripts/tidy/project.ts'
import { keepLosingPostgres, type Place, type Prepared } from './keep-losing-postgres.ts'

/** A crash point, and how a process is brought to it. */
export type CrashPoint = {
  name: string
  /** Whose it is; `operator`: of a command that an operator types. */
  command: 'serve' | 'dispatch' | 'operator'
  /** What the process is armed with. */
  path: string
  /** Payments that are asked for meanwhile. */
  payments: { phone: string; amountKes?: number }[]
  prepare(place: Place): Promise<Prepared>
}

// The simulator's outcomes by phone number; docs/simulator.md lists them.
const PAID = { phone: '254712345678' }
const CANCELLED = { phone: '254700000002' }
const REFUSED = { phone: '254700000011' }
const SLOW = { phone: '254700000021' }
const NEVER_CALLS_BACK = { phone: '254700000022' }
const CALLS_BACK_TWICE = { phone: '254700000024' }
const CALLBACK_BEFORE_REPLY = { phone: '254700000031' }
const ERROR_AFTER_PROMPT = { phone: '254700000033' }

/** An amount whose receipts the test's own trigger refuses. */
const POISONED_KES = 666

const PAYMENTS = [
  PAID,
  PAID,
  CANCELLED,
  REFUSED,
  CALLS_BACK_TWICE,
  CALLBACK_BEFORE_REPLY,
  ERROR_AFTER_PROMPT,
  NEVER_CALLS_BACK,
]

/** What it takes beyond the usual to come to the points of a stage. */
const SPECIAL: Record<string, Partial<Pick<CrashPoint, 'payments' | 'prepare'>>> = {
  put_off: {
    payments: [{ ...PAID, amountKes: POISONED_KES }, PAID],
    prepare: (place) => refuseToSettle(place, 'P0001'),
  },
  give_up_callback: {
    payments: [{ ...PAID, amountKes: POISONED_KES }, PAID],
    prepare: (place) => refuseToSettle(place, '22003'),
  },
  mark_unpublished: { prepare: (place) => refusePublishing(place) },
  strangers: { prepare: (place) => scan(place) },
  spool: { payments: [SLOW, PAID], prepare: (place) => keepLosingPostgres(place, SLOW.phone) },
  spool_folder: { payments: [SLOW, PAID], prepare: (place) => keepLosingPostgres(place, SLOW.phone) },
  take_confirmations: { payments: [NEVER_CALLS_BACK, PAID], prepare: (place) => pull(place) },
  register_pull: { payments: [NEVER_CALLS_BACK, PAID], prepare: (place) => pull(place) },
  pull_registered: { payments: [NEVER_CALLS_BACK, PAID], prepare: (place) => pull(place) },
  pull: { payments: [NEVER_CALLS_BACK, PAID], prepare: (place) => pull(place) },
  settle_by_pull: { payments: [NEVER_CALLS_BACK, PAID], prepare: (place) => pull(place) },
  take_query: { payments: [NEVER_CALLS_BACK, SLOW, PAID] },
  query: { payments: [NEVER_CALLS_BACK, SLOW, PAID] },
  settle_by_query: { payments: [NEVER_CALLS_BACK, PAID] },
  postpone_query: { payments: [SLOW, PAID] },
  end_due: { prepare: () => tooLate() },
  accept_limited: { prepare: () => withLimits() },
  raise_numbers: { prepare: (place) => beAnother(place) },
  hold: { payments: Array.from({ length: 30 }, () => PAID), prepare: () => oneAtATime() },
  note_outcomes: {
    prepare: (place) => trouble(place, sql`'closed'::endpoint_state, NULL::timestamptz, NULL::timestamptz`),
  },
  release: {
    prepare: (place) =>
      trouble(place, sql`'open'::endpoint_state, now() + interval '2 seconds', NULL::timestamptz`),
  },
  signal: { prepare: (place) => findSomething(place) },
  ramp_leftover: { prepare: (place) => pauseAndForget(place) },
}

/** Loops come past these all the time, with nothing in hand: they count once there was something. */
const ONLY_AFTER: Record<string, string> = {
  'take.before_commit': 'accept.after_commit',
  'take_unpublished.before_commit': 'interpret.after_commit',
  'take_query.before_commit': 'record_push.after_commit',
  'claim.before_commit': 'claim.after_commit',
}

/** What operators do; `operator-words.ts` says what they type. */
const OPERATOR_FILES = [
  'src/core/settle/settle-by-hand.ts',
  'src/core/settle/cancel-payment.ts',
  'src/core/deliveries/',
  'src/core/partners/',
  'src/core/restored/',
  'src/core/statements/',
  'src/core/services/decide-approval.ts',
]

/** Every crash point that the code names, with the way to it. */
export const findCrashPoints = async (root: string): Promise<CrashPoint[]> => {
  const files = await readProject(root)
  const namesIn = (...starts: string[]): Set<string> =>
    new Set(crashPointNames(files.filter(({ path }) => starts.some((start) => path.startsWith(start)))))
  const ofDispatch = namesIn('src/dispatcher/', 'src/queue/')
  const ofOperator = namesIn(...OPERATOR_FILES)
  return crashPointNames(files).map((name): CrashPoint => {
    const special = SPECIAL[name.split('.')[0] ?? '']
    return {
      name,
      command: ofDispatch.has(name) ? 'dispatch' : ofOperator.has(name) ? 'operator' : 'serve',
      path: [ONLY_AFTER[name], name].filter((one) => one !== undefined).join(' '),
      payments: special?.payments ?? PAYMENTS,
      prepare: special?.prepare ?? nothing,
    }
  })
}

const nothing = (): Promise<Prepared> => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() })

/**
 * Lets the interpreting of one amount's callbacks, which alone bring a receipt, fail with an SQLSTATE: the defect that `put_off`
 * is for, or the value that `give_up_callback` is for.
 */
const refuseToSettle = async ({ database }: Place, code: string): Promise<Prepared> => {
  const decide = (body: string): Promise<unknown> =>
    sql`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS ${sql.lit(body)}`.execute(
      database,
    )
  await decide(`BEGIN RAISE 'a defect' USING ERRCODE = '${code}'; END`)
  await sql`
    CREATE OR REPLACE TRIGGER refuse BEFORE UPDATE ON payments FOR EACH ROW
    WHEN (NEW.amount_kes = ${sql.lit(POISONED_KES)} AND NEW.receipt IS NOT NULL) EXECUTE FUNCTION refuse()
  `.execute(database)
  return {
    // Dropping the trigger would lock the partitions before their table, and so could meet a settlement half-way.
    [Symbol.asyncDispose]: async () => {
      await decide('BEGIN RETURN NEW; END')
    },
  }
}

/** How often a scanner posts, ms. */
const SCAN_MS = 150

/** Somebody who posts at the callbacks' path all the time, with a token that nobody issued. */
const scan = ({ httpUrl }: Place): Promise<Prepared> => {
  const post = () => fetch(`${httpUrl}/callbacks/stk/${'f'.repeat(48)}`, { method: 'POST', body: 'a scan' })
  const timer = setInterval(() => void post().catch(() => undefined), SCAN_MS)
  return Promise.resolve({
    [Symbol.asyncDispose]: () => {
      clearInterval(timer)
      return Promise.resolve()
    },
  })
}

/** An account that has Pull Transactions, not registered for them yet. */
const pull = async ({ database }: Place): Promise<Prepared> => {
  await sql`UPDATE daraja_accounts SET pull_registered_at = NULL`.execute(database)
  return {
    environment: {
      DARAJA_PULL: 'on',
      DARAJA_UNIQUE_REFERENCE: 'on',
      DARAJA_PULL_MSISDN: '254722000000',
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** Payments that are too old to be pushed as soon as they are accepted. */
const tooLate = (): Promise<Prepared> =>
  Promise.resolve({ environment: { SUBMIT_TTL_MS: '1' }, [Symbol.asyncDispose]: () => Promise.resolve() })

/** Limits to keep, which the payments do not reach. */
const withLimits = (): Promise<Prepared> =>
  Promise.resolve({
    environment: { PAYER_OPEN_PROMPTS: '100' },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  })

/** Lets the database be none that a mark knows. */
const beAnother = async ({ database }: Place): Promise<Prepared> => {
  await sql`UPDATE epochs SET token = ${crypto.randomUUID()}`.execute(database)
  return { [Symbol.asyncDispose]: () => Promise.resolve() }
}

/** A dispatcher that has hardly any room, so that a few deliveries at once are too many. */
const oneAtATime = (): Promise<Prepared> =>
  Promise.resolve({
    environment: { DELIVERY_CONCURRENCY: '1', DELIVERY_ENDPOINT_CONCURRENCY: '1' },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  })

/** Says of every endpoint that it has failed once, and is in this state, open until and paused since. */
const trouble = async ({ database }: Place, states: RawBuilder<unknown>): Promise<Prepared> => {
  await sql`
    INSERT INTO endpoints (partner_id, host, failures, state, open_until, paused_at)
    SELECT DISTINCT partner_id, host, 1, ${states} FROM deliveries
    ON CONFLICT (partner_id, host) DO UPDATE
    SET failures = 1, state = excluded.state, open_until = excluded.open_until, paused_at = excluded.paused_at
  `.execute(database)
  return { [Symbol.asyncDispose]: () => Promise.resolve() }
}

/** Operators that are to be told of something that was found; nobody takes it. */
const findSomething = async ({ database }: Place): Promise<Prepared> => {
  await sql`
    INSERT INTO payment_findings (payment_id, kind, detail)
    SELECT max(id), 'not_proven', gen_random_uuid()::text FROM payments
  `.execute(database)
  await sql`UPDATE signal_pace SET at = '-infinity'`.execute(database)
  return {
    environment: { SIGNAL_URL: 'http://127.0.0.1:9/signals' },
    [Symbol.asyncDispose]: async () => {
      await sql`DELETE FROM to_deliver WHERE partner_id = 0`.execute(database)
      await sql`DELETE FROM deliveries WHERE partner_id = 0`.execute(database)
    },
  }
}

/** How often it is forgotten, ms: long enough for a delivery to be held first. */
const FORGET_MS = 1_500

/** Pauses every endpoint, and forgets that there was anything once deliveries are held: they are left over then. */
const pauseAndForget = async (place: Place): Promise<Prepared> => {
  await trouble(place, sql`'closed'::endpoint_state, NULL::timestamptz, now()`)
  const forget = () =>
    sql`DELETE FROM endpoints WHERE EXISTS (SELECT FROM to_deliver WHERE held_at IS NOT NULL)`.execute(
      place.database,
    )
  const timer = setInterval(() => void forget().catch(() => undefined), FORGET_MS)
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await sql`DELETE FROM endpoints`.execute(place.database)
    },
  }
}

/** A stream that takes no message, as a full one. */
const refusePublishing = async ({ natsUrl }: Place): Promise<Prepared> => {
  const name = `gateway-test-refusing-${crypto.randomUUID()}`
  const connection = await connect({ servers: natsUrl })
  const manager = await connection.jetstreamManager()
  await manager.streams.add({
    name,
    subjects: [`${name}.due`],
    storage: StorageType.File,
    retention: RetentionPolicy.Workqueue,
    discard: DiscardPolicy.New,
    max_msg_size: 1,
  })
  return {
    environment: { NATS_STREAM: name },
    [Symbol.asyncDispose]: async () => {
      await manager.streams.delete(name)
      await connection.close()
    },
  }
}

import { describe, expect, it } from 'vitest'
import { crashPointNames, crashPoints } from '../../scripts/tidy/crash-points.ts'
import { readProject } from '../../scripts/tidy/project.ts'

const PATH = 'src/core/payments/a.ts'

const judge = (text: string, path = PATH): string[] =>
  crashPoints([{ path, text }]).map(({ line, problem }) => `${line} ${problem.split(':')[0]}`)

const NO_PAIR = 'a hand-over stands between two crash points of its own'

const COMMITTED = `
const a = async () => {
  crashPoint('a.before_commit')
  await sql\`UPDATE payments SET state = \${state}\`.execute(database)
  crashPoint('a.after_commit')
}`

describe('crash points', () => {
  it('stand around a statement that writes, a transaction, a send and an acknowledgement', () => {
    expect(judge(COMMITTED)).toEqual([])
    expect(
      judge(`
const b = async () => {
  const done = await database.transaction().execute(async (transaction) => {
    await sql\`DELETE FROM to_query\`.execute(transaction)
    crashPoint('b.before_commit', 3)
  })
  crashPoint('b.after_commit', done)
}
const c = (message) => {
  crashPoint('c.before_send')
  await pushStk(daraja)
  crashPoint('c.after_send')
  crashPoint('d.before_ack')
  message.ack()
  crashPoint('d.after_ack')
}`),
    ).toEqual([])
  })

  it.each([
    ['sql`INSERT INTO payments (id) VALUES (1)`.execute(options.database)'],
    ['sql<{ id: bigint }>`WITH due AS (SELECT 1) DELETE FROM to_submit`.execute(database)'],
    ["database.insertInto('payments').execute()"],
    ['database.transaction().execute(async (transaction) => settle(transaction))'],
    ['queryStk(daraja, id)'],
    ['poster.post(request)'],
    ['queue.publish(row)'],
    ['message.ack()'],
    ['file.datasync()'],
    ['rename(from, to)'],
  ])('are missed around %s', (handOver) => {
    expect(judge(`const a = async () => {\n  await ${handOver}\n}`)).toEqual([`2 ${NO_PAIR}`])
  })

  it.each([
    ['sql`SELECT id FROM payments FOR UPDATE SKIP LOCKED`.execute(database)'],
    ['sql`SELECT id FROM payments FOR UPDATE OF to_deliver`.execute(database)'],
    ['sql`UPDATE payments SET state = 1`.execute(options.transaction)'],
    ['sql`DELETE FROM to_submit`.execute(transaction)'],
  ])('are not asked for around %s', (text) => {
    expect(judge(`const a = async () => {\n  await ${text}\n}`)).toEqual([])
  })

  it('are the hand-over’s own: the other declarations’ do not count', () => {
    const [first, ...others] = COMMITTED.split("  crashPoint('a.after_commit')\n")
    const text = `${first}}\nconst b = () => {\n  crashPoint('a.after_commit')\n${others.join('')}`
    expect(judge(text)).toEqual([`3 ${NO_PAIR}`, `7 ${NO_PAIR}`])
  })

  it('have one name on either side, and each name once', () => {
    expect(judge(COMMITTED.replace('a.after', 'b.after'))).toEqual([
      '3 crash points of one hand-over have one name and one verb',
    ])
    expect(judge(COMMITTED + COMMITTED.replace('const a', 'const b'))).toEqual([
      '8 there is a crash point a.before_commit already',
      '10 there is a crash point a.after_commit already',
    ])
  })

  it('are for the stages only', () => {
    expect(judge('await queue.publish(row)', 'src/cli/serve.ts')).toEqual([])
    expect(judge('await queue.publish(row)', 'src/dispatcher/a.ts')).toHaveLength(1)
  })

  it('are found by their names', async () => {
    expect(crashPointNames([{ path: PATH, text: COMMITTED }])).toEqual(['a.before_commit', 'a.after_commit'])
    const names = crashPointNames(await readProject('.'))
    expect(names).toContain('take.after_commit')
    expect(names.length).toBeGreaterThan(30)
  })
})

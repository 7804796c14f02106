import { html, type SafeHtml } from '@remix-run/html-template'
import type { ConsoleClients } from '../clients.ts'
import { badge, facts, foreignText, notice, section } from '../page/elements.ts'
import { field, hidden, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { partnerLink } from '../page/payment-words.ts'
import { filled, readId } from '../page/read-id.ts'
import { table } from '../page/table.ts'
import type { Refusal } from '../refusal.ts'
import type { ActionCall, Done } from '../route.ts'
import type { SampleAnswer } from '../test-callbacks.ts'

/** What a form of test callbacks begins with. */
type Filled = {
  partnerId: bigint
  url: string
  /** The endpoint that the URL must be at; null: any of the partner's. */
  host: string | null
  /** One outcome alone; null: every one. */
  outcome: string | null
}

/** Sends test callbacks: on a partner's page, on an endpoint's, and beside the answers to send them once more. */
export const testCallbackForm = (
  { testCallbacks }: Pick<ConsoleClients, 'testCallbacks'>,
  { partnerId, url, host, outcome }: Filled,
  problem: string | null = null,
): SafeHtml =>
  postForm({
    action: `/partners/${partnerId}/test-callback`,
    button: 'Send test callbacks',
    fields: [
      html`<p>Samples are POSTed as deliveries are, signed with the partner’s secret; headers alone say that they are tests.</p>`,
      ...(host === null ? [] : [hidden('host', host)]),
      field({
        name: 'url',
        label: 'Callback URL',
        value: url,
        hint: host === null ? 'As in callback_url.' : `As in callback_url, at ${host}.`,
        problem,
        required: true,
        autocomplete: 'off',
      }),
      field({
        name: 'outcome',
        label: 'Outcomes',
        kind: 'select',
        value: outcome,
        options: [['', 'every one'], ...testCallbacks.outcomes.map((name) => [name, name] as const)],
      }),
    ],
  })

/** Where the newest delivery that fits went; null where there is none. */
export const lastUrl = async (
  { deliveries }: Pick<ConsoleClients, 'deliveries'>,
  filter: { partnerId: bigint; host?: string },
): Promise<string | null> => {
  const [newest] = (await deliveries.listDeliveries({ filter, pageSize: 1 })).deliveries
  if (newest === undefined) return null
  const { delivery } = await deliveries.getDelivery({ deliveryId: newest.deliveryId })
  return delivery?.callbackUrl ?? null
}

const readFilled = ({ params, form }: ActionCall): Filled => ({
  partnerId: readId(params['id'], 'partner'),
  url: (form.get('url') ?? '').trim(),
  host: filled(form, 'host') ?? null,
  outcome: filled(form, 'outcome') ?? null,
})

/** Sends them; the page of the action itself shows each answer, and no address brings it back. */
export const sendTestCallbacks = async (call: ActionCall): Promise<Done> => {
  const asked = readFilled(call)
  const { answers, unsent, summary } = await call.clients.testCallbacks.send(asked)
  const isWell = unsent === 0 && answers.every(({ errorClass }) => errorClass === null)
  const late = unsent === 0 ? '' : ` ${unsent} more not sent, for the time was over: send them one by one.`
  return {
    title: 'Test callbacks',
    body: html`${notice(isWell ? 'good' : 'bad', `${summary}${late}`)}${facts([
      ['Partner', partnerLink(asked.partnerId)],
      ['Callback URL', asked.url],
    ])}
${section('Answers', answerTable(answers))}
${section('Once more', testCallbackForm(call.clients, asked))}`,
  }
}

/** The form once more, with what is wrong: nothing was sent. */
export const refusedTestCallbacks = async (call: ActionCall, refusal: Refusal): Promise<Page> => {
  const asked = readFilled(call)
  const problem = refusal.field === 'url' ? refusal.message : null
  return {
    title: 'Test callbacks',
    body: html`${notice('bad', `Nothing was sent: ${refusal.message}`)}${facts([['Partner', partnerLink(asked.partnerId)]])}
${testCallbackForm(call.clients, asked, problem)}`,
  }
}

const answerTable = (answers: readonly SampleAnswer[]): SafeHtml =>
  table({
    caption: 'In the order in which they were sent; of an answer its first 4 kB, long runs of digits masked',
    none: 'None.',
    rows: answers,
    columns: [
      { head: 'Outcome', cell: ({ outcome }) => outcome },
      { head: 'webhook-id', cell: ({ webhookId }) => webhookId },
      { head: 'Attempt', cell: ({ attempt }) => attempt, kind: 'number' },
      { head: 'Status', cell: ({ status }) => status, kind: 'number' },
      {
        head: 'Error class',
        cell: ({ errorClass }) => (errorClass === null ? null : badge(errorClass, 'bad')),
      },
      { head: 'Took', cell: ({ durationMs }) => `${durationMs} ms`, kind: 'number' },
      { head: 'Address', cell: ({ address }) => address },
      { head: 'Answer', cell: ({ answer }) => (answer ? foreignText(answer) : null) },
    ],
  })

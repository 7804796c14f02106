import { html, type SafeHtml } from '@remix-run/html-template'
import type { Account } from '../../gen/mpesa/gateway/v1/accounts_pb.js'
import { suffices } from '../../values/operator-role.ts'
import { type Content, link } from '../page/elements.ts'
import { hidden, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { readId } from '../page/read-id.ts'
import { type Column, pager, table } from '../page/table.ts'
import { time } from '../page/time.ts'
import type { ActionCall, Call, Done } from '../route.ts'

const PAGE_SIZE = 100

export const ACCOUNTS_PATH = '/partners/accounts'

/** `/partners/accounts`: the accounts at Daraja that new payments go through, each of which Daraja can be asked with. */
export const accountsPage = async (call: Call): Promise<Page> => {
  const after = call.query.get('after')
  const { accounts, nextAfter } = await call.clients.accounts.listAccounts({
    pageSize: PAGE_SIZE,
    ...(after !== null && { after: readId(after, 'page') }),
  })
  const may = suffices(call.operator.role, 'mend')
  return {
    title: 'Accounts at Daraja',
    body: html`<p>Payments of partners without an account of their own go through the default one, which stands in the
settings of <code>gateway serve</code>.</p>${may ? checkForm(null) : ''}${table({
      caption: 'Partners’ own, oldest first',
      columns: columnsFor(may),
      rows: accounts.filter(({ endedAt }) => endedAt === undefined),
      none: 'None: all partners go through the default one.',
    })}${pager(call, { cursor: 'after', next: nextAfter === undefined ? null : String(nextAfter) })}`,
  }
}

const columnsFor = (may: boolean): Column<Account>[] => [
  { head: 'Partner', cell: ({ partnerId }) => link(`/partners/${partnerId}`, String(partnerId)) },
  { head: 'Shortcode', cell: ({ shortcode }) => shortcode },
  { head: 'Since', cell: ({ createdAt }) => time(createdAt) },
  ...(may
    ? [{ head: 'What you can do', cell: ({ partnerId }: Account): Content => checkForm(partnerId) }]
    : []),
]

/** Asks Daraja for an access token; `partnerId` null: as the default account. */
const checkForm = (partnerId: bigint | null): SafeHtml =>
  postForm({
    action: `${ACCOUNTS_PATH}/check`,
    button: partnerId === null ? 'Check the default account' : `Check the account of partner ${partnerId}`,
    fields: partnerId === null ? [] : [hidden('partner', String(partnerId))],
  })

/** Asks Daraja for an access token as an account, and says what came of it. */
export const checkAccount = async ({ clients, form }: ActionCall): Promise<Done> => {
  const partner = form.get('partner')
  const { shortcode, own, problem } = await clients.accounts.checkAccount(
    partner === null ? {} : { partnerId: readId(partner, 'partner') },
  )
  const which = `${own ? 'own' : 'default'} account ${shortcode}`
  const said =
    problem === undefined ? `Daraja lets the ${which} in.` : `The ${which} gets no access token: ${problem}.`
  return { goTo: ACCOUNTS_PATH, said }
}

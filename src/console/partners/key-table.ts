import { html, type SafeHtml } from '@remix-run/html-template'
import type { ApiKey } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import { type OperatorRole, suffices } from '../../values/operator-role.ts'
import { badge } from '../page/elements.ts'
import { field, postForm } from '../page/form.ts'
import { type Column, table } from '../page/table.ts'
import { ago, time, toDate } from '../page/time.ts'

/** A partner's keys: names, last use, ends, and what may be done to each. Never a key itself. */
export const keyTable = (
  keys: readonly ApiKey[],
  { role, now }: { role: OperatorRole; now: Date },
): SafeHtml => {
  const columns: Column<ApiKey>[] = [
    { head: 'Key', cell: ({ displayPrefix }) => html`<code>${displayPrefix}…</code>` },
    { head: 'Name', cell: ({ name }) => name },
    { head: 'State', cell: (key) => stateOf(key, now) },
    {
      head: 'Last used',
      cell: ({ lastUsedAt }) => (lastUsedAt === undefined ? 'never' : ago(lastUsedAt, now)),
    },
    { head: 'Ends', cell: ({ expiresAt }) => (expiresAt === undefined ? 'never' : time(expiresAt)) },
  ]
  if (suffices(role, 'mend'))
    columns.push({ head: 'What you can do', cell: (key) => verbs(key, { role, now }) })
  return table({ caption: 'Keys, oldest first', columns, rows: keys, none: 'It has no key.' })
}

const works = ({ revokedAt, expiresAt }: ApiKey, now: Date): boolean =>
  revokedAt === undefined && (expiresAt === undefined || toDate(expiresAt) > now)

const stateOf = (key: ApiKey, now: Date): SafeHtml => {
  const kind = key.test ? html` ${badge('test', 'plain')}` : ''
  if (key.revokedAt !== undefined) return html`${badge('revoked', 'bad')}${kind}`
  return works(key, now) ? html`${badge('works', 'good')}${kind}` : html`${badge('expired', 'warn')}${kind}`
}

/** Revoking stops harm, and is for the night; a new key lets somebody ask for money. */
const verbs = (key: ApiKey, { role, now }: { role: OperatorRole; now: Date }): SafeHtml | null => {
  if (!works(key, now)) return null
  const { keyId, name } = key
  return html`<details><summary>Revoke</summary><p>It ends for good, within five seconds.</p>${postForm({
    action: `/partners/${key.partnerId}/keys/${keyId}/revoke`,
    button: `Revoke ${name}`,
    tone: 'danger',
  })}</details>${
    suffices(role, 'money')
      ? html`<details><summary>Rotate</summary>${postForm({
          action: `/partners/${key.partnerId}/keys/${keyId}/rotate`,
          button: `Rotate ${name}`,
          fields: [
            field({
              name: `overlap-${keyId}`,
              label: 'The old key works for',
              kind: 'select',
              value: '86400',
              options: [
                ['0', 'not a second more'],
                ['3600', 'an hour'],
                ['86400', 'a day'],
                ['604800', 'a week'],
              ],
            }),
          ],
        })}</details>`
      : ''
  }`
}

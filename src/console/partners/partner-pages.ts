import { html } from '@remix-run/html-template'
import type { FastifyInstance } from 'fastify'
import type { ConsoleParts } from '../console-parts.ts'
import { link, notice } from '../page/elements.ts'
import type { Page } from '../page/page.ts'
import { readId } from '../page/read-id.ts'
import { type ActionCall, addAction, addPage, type Done } from '../route.ts'
import { ACCOUNTS_PATH, accountsPage, checkAccount } from './accounts-page.ts'
import { setBounds } from './limits-form.ts'
import { partnerCsv, partnerListPage } from './partner-list.ts'
import { partnerPage } from './partner-page.ts'
import { refusedTestCallbacks, sendTestCallbacks } from './test-callback.ts'

/** Partners: who may ask for payments, with what keys and within what bounds. */
export const addPartnerPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, { path: '/partners', needs: 'look', answer: partnerListPage, csv: partnerCsv })
  addAction(app, parts, { path: '/partners/create', needs: 'money', act: create, back: () => '/partners' })
  addPage(app, parts, { path: ACCOUNTS_PATH, needs: 'look', answer: accountsPage })
  addAction(app, parts, {
    path: `${ACCOUNTS_PATH}/check`,
    needs: 'mend',
    act: checkAccount,
    back: () => ACCOUNTS_PATH,
  })
  addPage(app, parts, { path: '/partners/:id', needs: 'look', answer: (call) => partnerPage(call) })
  addAction(app, parts, { path: '/partners/:id/disable', needs: 'mend', act: disable, back: toPartner })
  addAction(app, parts, { path: '/partners/:id/enable', needs: 'mend', act: enable, back: toPartner })
  addAction(app, parts, {
    path: '/partners/:id/bounds',
    needs: 'money',
    act: setBounds,
    onRefused: (call, refusal) => partnerPage(call, refusal),
  })
  addAction(app, parts, { path: '/partners/:id/keys', needs: 'money', act: createKey, back: toPartner })
  addAction(app, parts, {
    path: '/partners/:id/keys/:key/rotate',
    needs: 'money',
    act: rotateKey,
    back: toPartner,
  })
  addAction(app, parts, {
    path: '/partners/:id/keys/:key/revoke',
    needs: 'mend',
    act: revokeKey,
    back: toPartner,
  })
  addAction(app, parts, {
    path: '/partners/:id/test-callback',
    needs: 'mend',
    act: sendTestCallbacks,
    onRefused: refusedTestCallbacks,
  })
}

const toPartner = ({ params }: ActionCall): string => `/partners/${params['id'] ?? ''}`

/** What is shown this once: the page of the action itself, which no address brings back. */
const secretPage = (shown: {
  title: string
  secrets: readonly (readonly [string, string])[]
  back: string
  /** What is to be known first; of a key alone when left out. */
  warning?: string
}): Page => ({
  title: shown.title,
  body: html`${notice('warn', shown.warning ?? 'Copy it now: it is shown this once, and only its hash is kept.')}
${shown.secrets.map(([name, secret]) => html`<p>${name}</p><pre class="foreign" tabindex="0">${secret}</pre>`)}
<p>${link(shown.back, 'To the partner')}</p>`,
})

const create = async ({ clients, form }: ActionCall): Promise<Done> => {
  const made = await clients.partners.createPartner({ name: form.get('name') ?? '' })
  return secretPage({
    title: `Partner ${made.partnerId} is created`,
    warning:
      'Copy both now: they are shown this once. Of the key only its hash is kept; the secret is kept sealed, to sign with.',
    secrets: [
      ['Its API key', made.apiKey],
      ['What deliveries to it are signed with', made.signingSecret],
    ],
    back: `/partners/${made.partnerId}`,
  })
}

const disable = async ({ clients, params }: ActionCall): Promise<Done> => {
  const partnerId = readId(params['id'], 'partner')
  await clients.partners.disablePartner({ partnerId })
  return { goTo: `/partners/${partnerId}`, said: 'It is disabled: nobody is prompted for it any more.' }
}

const enable = async ({ clients, params }: ActionCall): Promise<Done> => {
  const partnerId = readId(params['id'], 'partner')
  await clients.partners.enablePartner({ partnerId })
  return { goTo: `/partners/${partnerId}`, said: 'It is enabled again.' }
}

const createKey = async ({ clients, params, form }: ActionCall): Promise<Done> => {
  const partnerId = readId(params['id'], 'partner')
  const test = form.get('kind') === 'test'
  const { apiKey } = await clients.partners.createKey({ partnerId, name: form.get('name') ?? '', test })
  return secretPage({
    title: 'The key is created',
    secrets: [['API key', apiKey]],
    back: `/partners/${partnerId}`,
  })
}

const rotateKey = async ({ clients, params, form }: ActionCall): Promise<Done> => {
  const keyId = readId(params['key'], 'key')
  const overlap = form.get(`overlap-${keyId}`) ?? ''
  const { apiKey } = await clients.partners.rotateKey({
    keyId,
    ...(/^\d{1,7}$/.test(overlap) && { overlapSeconds: Number(overlap) }),
  })
  const back = `/partners/${readId(params['id'], 'partner')}`
  return secretPage({ title: 'The key is rotated', secrets: [['The new API key', apiKey]], back })
}

const revokeKey = async ({ clients, params }: ActionCall): Promise<Done> => {
  const keyId = readId(params['key'], 'key')
  await clients.partners.revokeKey({ keyId })
  return { goTo: `/partners/${readId(params['id'], 'partner')}`, said: 'The key is revoked.' }
}

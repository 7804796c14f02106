import { createHmac } from 'node:crypto'
import { Agent } from 'undici'
import { openPayments } from './payments.ts'
import { type DeliveryJob, type PushJob, workOnDeliveries, workOnPushes } from './queues.ts'
import { readSettings } from './settings.ts'

// The worker process of the yardstick: BullMQ jobs that push to Daraja and that POST to partners, with one UPDATE each.

const POOL_SIZE = 16

const settings = readSettings()
const payments = openPayments(settings.databaseUrl, POOL_SIZE)
const agent = new Agent({ connections: Math.max(settings.pushesAtOnce, settings.deliveriesAtOnce) })

const post = (url: string, headers: Record<string, string>, body: string) => {
  const { origin, pathname, search } = new URL(url)
  return agent.request({ origin, path: `${pathname}${search}`, method: 'POST', headers, body })
}

let token: Promise<string> | undefined

/** One token for all, until a few minutes before its end. */
const getToken = (): Promise<string> => {
  token ??= askForToken().catch((error: unknown) => {
    token = undefined
    throw error
  })
  return token
}

const RENEW_TOKEN_MS = 50 * 60_000

const askForToken = async (): Promise<string> => {
  const { body } = await agent.request({
    origin: settings.darajaUrl,
    path: '/oauth/v1/generate?grant_type=client_credentials',
    method: 'GET',
    headers: { authorization: `Basic ${Buffer.from('bench:bench').toString('base64')}` },
  })
  const answer = (await body.json()) as { access_token: string }
  setTimeout(() => {
    token = undefined
  }, RENEW_TOKEN_MS).unref()
  return answer.access_token
}

const SHORTCODE = '174379'

const credentials = (): { BusinessShortCode: number; Password: string; Timestamp: string } => {
  const now = new Date(Date.now() + 3 * 3_600_000)
  const timestamp = now.toISOString().replaceAll(/\D/g, '').slice(0, 14)
  const password = Buffer.from(`${SHORTCODE}bench${timestamp}`).toString('base64')
  return { BusinessShortCode: Number(SHORTCODE), Password: password, Timestamp: timestamp }
}

const push = async (job: PushJob): Promise<void> => {
  const { statusCode, body } = await post(
    `${settings.darajaUrl}/mpesa/stkpush/v1/processrequest`,
    { 'content-type': 'application/json', authorization: `Bearer ${await getToken()}` },
    JSON.stringify({
      ...credentials(),
      TransactionType: 'CustomerPayBillOnline',
      Amount: job.amount,
      PartyA: Number(job.phone),
      PartyB: Number(SHORTCODE),
      PhoneNumber: Number(job.phone),
      CallBackURL: `${settings.publicUrl}/callbacks/${job.id}/${job.token}`,
      AccountReference: job.reference.slice(0, 12),
      TransactionDesc: 'Payment',
    }),
  )
  const answer = (await body.json()) as { MerchantRequestID: string; CheckoutRequestID: string }
  if (statusCode !== 200) throw new Error(`Daraja answered ${statusCode}`)
  await payments.recordPush(job.id, answer.MerchantRequestID, answer.CheckoutRequestID)
}

const secrets = new Map<string, Buffer>()

const secretOf = async (partnerId: string): Promise<Buffer> => {
  const known = secrets.get(partnerId)
  if (known !== undefined) return known
  const row = await payments.findSecret(partnerId)
  const secret = Buffer.from((row?.signing_secret ?? '').replace('whsec_', ''), 'base64')
  secrets.set(partnerId, secret)
  return secret
}

const deliver = async (job: DeliveryJob): Promise<void> => {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signed = `${job.webhookId}.${timestamp}.${job.body}`
  const signature = createHmac('sha256', await secretOf(job.partnerId))
    .update(signed)
    .digest('base64')
  const headers = {
    'content-type': 'application/json',
    'webhook-id': job.webhookId,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  }
  const status = await post(job.url, headers, job.body).then(
    async ({ statusCode, body }) => {
      await body.dump()
      return statusCode
    },
    () => null,
  )
  await payments.recordDelivery(job.id, status)
  if (status === null || status < 200 || status > 299) throw new Error(`answered ${status}`)
}

const { redisUrl } = settings
const workers = [
  workOnPushes({ redisUrl, atOnce: settings.pushesAtOnce, process: push }),
  workOnDeliveries({ redisUrl, atOnce: settings.deliveriesAtOnce, process: deliver }),
]
await Promise.all(workers.map((worker) => worker.waitUntilReady()))
process.stdout.write(`${JSON.stringify({ ready: true })}\n`)

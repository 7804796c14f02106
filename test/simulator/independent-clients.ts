import { createRequire } from 'node:module'
import { onTestFinished, vi } from 'vitest'
import { z } from 'zod'

/** A Daraja client that others wrote, pointed at another host and otherwise as it comes from npm. */
export type IndependentClient = {
  /** Prompts a payer; resolves with the CheckoutRequestID that Daraja answered. */
  push(payment: Payment): Promise<string>
  /** Resolves with the ResultCode that the query answered. */
  query(checkoutRequestId: string): Promise<string>
}

export type Payment = { phone: string; amountKes: number; callbackUrl: string }

const SHORTCODE = '174379'
const PASSKEY = 'bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919'
const CREDENTIALS = { consumerKey: 'key', consumerSecret: 'secret' }

// The clients are CommonJS, some without types: what is used of them is said here.
const require = createRequire(import.meta.url)

/** A module with one class. */
type Module<Name extends string, Instance> = Record<
  Name,
  new (
    config: object,
    environment?: string,
  ) => Instance
>

const accepted = z.object({ CheckoutRequestID: z.string() })
const answered = z.object({ ResultCode: z.string() })

type MpesaNode = {
  baseURL: string
  lipaNaMpesaOnline(phone: number, amount: number, url: string, reference: string): Promise<{ data: unknown }>
  lipaNaMpesaQuery(checkoutRequestId: string): Promise<{ data: unknown }>
}

/** mpesa-node 0.1.3: a description of 20 characters, timestamps in UTC. */
export const mpesaNode = (url: string): IndependentClient => {
  const Client: new (config: Record<string, string>) => MpesaNode = require('mpesa-node')
  const client = new Client({
    ...CREDENTIALS,
    lipaNaMpesaShortCode: SHORTCODE,
    lipaNaMpesaShortPass: PASSKEY,
  })
  client.baseURL = url
  return {
    push: async ({ phone, amountKes, callbackUrl }) => {
      const { data } = await client.lipaNaMpesaOnline(Number(phone), amountKes, callbackUrl, 'INV2025001')
      return accepted.parse(data).CheckoutRequestID
    },
    query: async (id) => answered.parse((await client.lipaNaMpesaQuery(id)).data).ResultCode,
  }
}

type StkPush = {
  [Name in
    | 'amount'
    | 'callbackURL'
    | 'phoneNumber'
    | 'lipaNaMpesaPassKey'
    | 'shortCode'
    | 'checkoutRequestID']: (value: string | number) => StkPush
} & {
  send(): Promise<{ getTransactionID(): string }>
  queryStatus(): Promise<{ getResultCode(): string }>
}

/** daraja.js 1.0.2: phone numbers as strings, and the clock read twice for one push. */
export const darajaJs = (url: string): IndependentClient => {
  const { routes }: { routes: { sandbox: string } } = require('daraja.js/dist/models/routes')
  routes.sandbox = url
  const { Mpesa }: Module<'Mpesa', { stkPush(): StkPush }> = require('daraja.js')
  const config = { ...CREDENTIALS, organizationShortCode: SHORTCODE, securityCredential: 'unused' }
  const client = new Mpesa(config, 'sandbox')
  return {
    push: async ({ phone, amountKes, callbackUrl }) => {
      const stkPush = client.stkPush().shortCode(SHORTCODE).amount(amountKes).phoneNumber(Number(phone))
      // Between the two readings a second may end, and the password would not fit: time stands still for it.
      vi.useFakeTimers({ toFake: ['Date'] })
      try {
        const answer = await stkPush.callbackURL(callbackUrl).lipaNaMpesaPassKey(PASSKEY).send()
        return answer.getTransactionID()
      } finally {
        vi.useRealTimers()
      }
    },
    query: async (id) => {
      const stkPush = client.stkPush().shortCode(SHORTCODE).lipaNaMpesaPassKey(PASSKEY)
      return (await stkPush.checkoutRequestID(id).queryStatus()).getResultCode()
    },
  }
}

type MdsPush = [
  shortcode: string,
  password: string,
  timestamp: string,
  phone: string,
  amount: number,
  url: string,
]
type MdsQuery = [shortcode: string, password: string, timestamp: string, checkoutRequestId: string]

type MdsModule = {
  MdsDarajaSdk: (new (
    key: string,
    secret: string,
  ) => {
    initiateStkPush(...values: MdsPush): Promise<unknown>
  }) & { generateTimeStamp(): string }
  SafaricomDarajaApi: new (
    key: string,
    secret: string,
  ) => { queryTransactionStatus(...values: MdsQuery): Promise<unknown> }
}

/** mds-daraja-sdk 2.0.0: timestamps in the machine's own time zone; the query is in a class of its own. */
export const mdsDarajaSdk = (url: string): IndependentClient => {
  const { MdsDarajaSdk, SafaricomDarajaApi }: MdsModule = require('mds-daraja-sdk')
  const client = Object.assign(new MdsDarajaSdk('key', 'secret'), { baseUrl: url })
  const asking = Object.assign(new SafaricomDarajaApi('key', 'secret'), { baseUrl: url })
  const signed = (): [shortcode: string, password: string, timestamp: string] => {
    const timestamp = MdsDarajaSdk.generateTimeStamp()
    return [SHORTCODE, Buffer.from(`${SHORTCODE}${PASSKEY}${timestamp}`).toString('base64'), timestamp]
  }
  return {
    push: async ({ phone, amountKes, callbackUrl }) =>
      accepted.parse(await client.initiateStkPush(...signed(), phone, amountKes, callbackUrl))
        .CheckoutRequestID,
    query: async (id) => answered.parse(await asking.queryTransactionStatus(...signed(), id)).ResultCode,
  }
}

type MpesaApi = {
  lipaNaMpesaOnline(push: object): Promise<unknown>
  lipaNaMpesaQuery(query: object): Promise<unknown>
}

/** mpesa-api 3.0.2: a transaction type with a trailing blank, a host without its port. */
export const mpesaApi = (url: string): IndependentClient => {
  const { Mpesa }: Module<'Mpesa', MpesaApi> = require('mpesa-api')
  const { HttpService }: Module<'HttpService', object> = require('mpesa-api/lib/services/http.service')
  const config = { clientKey: 'key', clientSecret: 'secret', securityCredential: 'unused' }
  const client = Object.assign(new Mpesa(config, 'sandbox'), {
    http: new HttpService({ baseURL: url, headers: { 'Content-Type': 'application/json' } }),
  })
  addPort(new URL(url).port)
  const about = { BusinessShortCode: Number(SHORTCODE), passKey: PASSKEY }
  return {
    push: async ({ phone, amountKes, callbackUrl }) =>
      accepted.parse(
        await client.lipaNaMpesaOnline({
          ...about,
          PartyA: phone,
          PartyB: SHORTCODE,
          PhoneNumber: phone,
          Amount: amountKes,
          AccountReference: 'INV2025001',
          CallBackURL: callbackUrl,
        }),
      ).CheckoutRequestID,
    query: async (id) =>
      answered.parse(await client.lipaNaMpesaQuery({ ...about, CheckoutRequestID: id })).ResultCode,
  }
}

/** Until the test ends, requests that name no port go to this one. */
const addPort = (port: string): void => {
  const http: { request: (this: void, options: object, answered: unknown) => unknown } = require('node:http')
  const { request } = http
  http.request = (options, answered) => request({ port, ...options }, answered)
  onTestFinished(() => {
    http.request = request
  })
}

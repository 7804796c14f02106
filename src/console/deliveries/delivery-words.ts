import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { html, type SafeHtml } from '@remix-run/html-template'
import {
  type Delivery,
  DeliveryState,
  type Endpoint,
  EndpointState,
} from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import { badge, type Content, link, type Tone } from '../page/elements.ts'
import { time } from '../page/time.ts'

/** The states of deliveries by the names that addresses have for them. */
export const STATE_NAMES = ['pending', 'held', 'dead', 'cancelled', 'delivered'] as const

export type StateName = (typeof STATE_NAMES)[number]

export const STATES: Readonly<Record<StateName, DeliveryState>> = {
  pending: DeliveryState.PENDING,
  held: DeliveryState.HELD,
  dead: DeliveryState.DEAD,
  cancelled: DeliveryState.CANCELLED,
  delivered: DeliveryState.DELIVERED,
}

export const stateNameOf = (state: DeliveryState): StateName =>
  STATE_NAMES.find((name) => STATES[name] === state) ?? 'pending'

/** What may be done to all deliveries of a state. */
export const RETRIED: readonly StateName[] = ['pending', 'held', 'dead', 'cancelled']
export const CANCELLED: readonly StateName[] = ['pending', 'held']

const TONES: Readonly<Record<StateName, Tone>> = {
  pending: 'plain',
  held: 'warn',
  dead: 'bad',
  cancelled: 'plain',
  delivered: 'good',
}

export const stateBadge = (delivery: Delivery): SafeHtml => {
  const name = stateNameOf(delivery.state)
  return badge(delivery.underWay ? `${name}, under way` : name, TONES[name])
}

/** `500 (status)`, `dns`: how an attempt failed; null when it did not. */
export const errorText = (one: {
  status?: number | undefined
  errorClass?: string | undefined
}): string | null => {
  if (one.errorClass === undefined) return null
  return one.status === undefined ? one.errorClass : `HTTP ${one.status} (${one.errorClass})`
}

/** Why a delivery is where it is. */
export const whyText = (delivery: Delivery): string | null => {
  const parts = [errorText(delivery), delivery.reason ?? null].filter((part) => part !== null)
  return parts.length === 0 ? null : parts.join(': ')
}

const HELD: Readonly<Record<string, string>> = {
  paused: 'until its endpoint is resumed',
  down: 'until its endpoint is back',
  probing: 'while its endpoint is asked whether it is back',
  ramping: 'for its turn: its endpoint is back',
}

/** What a delivery waits for. */
export const waitsFor = (delivery: Delivery): Content => {
  if (delivery.heldBecause !== undefined) {
    const what = HELD[delivery.heldBecause] ?? delivery.heldBecause
    return delivery.heldUntil === undefined
      ? what
      : html`${what}, which is asked again ${time(delivery.heldUntil)}`
  }
  return delivery.nextAttemptAt === undefined ? null : time(delivery.nextAttemptAt)
}

const ENDPOINT_WORDS: Readonly<Record<EndpointState, readonly [string, Tone]>> = {
  [EndpointState.UNSPECIFIED]: ['well', 'good'],
  [EndpointState.CLOSED]: ['well', 'good'],
  [EndpointState.OPEN]: ['down', 'bad'],
  [EndpointState.HALF_OPEN]: ['being asked', 'warn'],
  [EndpointState.RAMPING]: ['back, catching up', 'warn'],
}

export const endpointBadge = (endpoint: Pick<Endpoint, 'state' | 'pausedAt'>): SafeHtml => {
  if (endpoint.pausedAt !== undefined) return badge('paused', 'warn')
  const [word, tone] = ENDPOINT_WORDS[endpoint.state]
  return badge(word, tone)
}

export const deliveryAddress = (deliveryId: bigint): string => `/deliveries/${deliveryId}`

export const endpointAddress = (one: { partnerId: bigint; host: string }): string =>
  `/deliveries/endpoint?${new URLSearchParams({ partner: String(one.partnerId), host: one.host }).toString()}`

/** The host of a delivery, leading to its endpoint; those of test payments and of signals have no page. */
export const hostLink = (one: { partnerId: bigint; host: string; test: boolean }): Content =>
  one.test || one.partnerId === 0n ? one.host : link(endpointAddress(one), one.host)

export const partnerText = (one: { partnerId: bigint; test: boolean }): Content => {
  if (one.partnerId === 0n) return 'operators'
  return html`${link(`/partners/${one.partnerId}`, String(one.partnerId))}${one.test ? ' (test)' : ''}`
}

export const isoOf = (instant: Timestamp | undefined): string | null =>
  instant === undefined
    ? null
    : new Date(Number(instant.seconds) * 1000 + Math.trunc(instant.nanos / 1e6)).toISOString()

/** `orMore`: these are of those that were looked at, and there are others. */
export const counted = (count: bigint | number, orMore = false): string => {
  const text = Number(count) === 1 ? '1 delivery' : `${count} deliveries`
  return orMore ? `${text} or more` : text
}

/** `10000 or more`, where there may be more than were counted. */
export const countText = (count: bigint, orMore: boolean): string => `${count}${orMore ? ' or more' : ''}`

/** The fields of a delivery to a partner, in the guide's order. */
export const DELIVERY_FIELDS = [
  'transaction_id',
  'merchant_request_id',
  'checkout_request_id',
  'result_code',
  'result_desc',
  'amount',
  'mpesa_receipt',
  'transaction_date',
  'phone',
  'status',
]

/** Every state of an order, in the order of its life. */
export const STATES = [
  'submitted',
  'awaiting_info',
  'investigating',
  'pending_dispatch',
  'dispatched',
  'return_review',
  'disputed',
  'in_progress',
  'suspended',
  'replied',
  'pending_visit',
  'visit_retry',
  'judging',
  'rehandle',
  'closed',
  'answered',
  'not_accepted',
  'transferred_out',
  'merged',
  'withdrawn',
  'invalid',
  'archived',
] as const

/** What the state of an order looks like. */
export const toneOf = (state: string): string =>
  ['closed', 'answered', 'archived'].includes(state)
    ? 'good'
    : ['return_review', 'disputed', 'judging', 'rehandle'].includes(state)
      ? 'warn'
      : ['not_accepted', 'transferred_out', 'merged', 'withdrawn', 'invalid'].includes(state)
        ? ''
        : 'accent'

import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'
import type { Action } from './api/types'
import { useSession } from './stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** Words of the page's title. */
    title?: string
    /** Any of these lets a person in; absent: everybody. */
    needs?: Action[]
    /** The page draws its own frame. */
    bare?: boolean
  }
}

/** Whoever is logged in. */
const ANY: Action[] = []

export const router = createRouter({
  history: createWebHistory(),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/', component: () => import('./pages/Start.vue') },
    { path: '/login', component: () => import('./pages/Login.vue'), meta: { title: 'login.title' } },
    { path: '/desk', component: () => import('./pages/Desk.vue'), meta: { title: 'nav.desk', needs: ['sit'] } },
    {
      path: '/wallboard',
      component: () => import('./pages/Wallboard.vue'),
      meta: { title: 'nav.wallboard', needs: ['see_floor'], bare: true },
    },
    { path: '/try', component: () => import('./pages/Try.vue'), meta: { title: 'nav.try' } },
    { path: '/callbacks', component: () => import('./pages/Callbacks.vue'), meta: { title: 'nav.callbacks', needs: ['see_callbacks'] } },
    { path: '/calls/:id?', component: () => import('./pages/Calls.vue'), meta: { title: 'nav.calls', needs: ['see_calls'] } },
    { path: '/inbox', component: () => import('./pages/Inbox.vue'), meta: { title: 'nav.inbox', needs: ['see_orders'] } },
    { path: '/dispatch', component: () => import('./pages/Dispatch.vue'), meta: { title: 'nav.dispatch', needs: ['dispatch'] } },
    { path: '/orders', component: () => import('./pages/Register.vue'), meta: { title: 'nav.orders', needs: ['see_orders'] } },
    { path: '/visits/:code?', component: () => import('./pages/Visits.vue'), meta: { title: 'nav.visits', needs: ['visit'] } },
    { path: '/audits/:code?', component: () => import('./pages/Audits.vue'), meta: { title: 'nav.audits', needs: ['audit_reply'] } },
    { path: '/policies', component: () => import('./pages/Policies.vue'), meta: { title: 'nav.policies', needs: ANY } },
    { path: '/duties', component: () => import('./pages/Duties.vue'), meta: { title: 'nav.duties', needs: ['see_duties'] } },
    { path: '/flow', component: () => import('./pages/Flow.vue'), meta: { title: 'nav.flow', needs: ANY } },
    {
      path: '/orders/:code',
      component: () => import('./orders/OrderPage.vue'),
      meta: { title: 'nav.orders', needs: ['see_orders'] },
    },
    {
      path: '/quality/:tab?/:id?',
      component: () => import('./pages/Quality.vue'),
      meta: { title: 'nav.quality', needs: ['grade_calls', 'see_grades', 'see_own_grades'] },
    },
    { path: '/expert', component: () => import('./pages/Expert.vue'), meta: { title: 'nav.expert', needs: ['answer_expert'] } },
    { path: '/hours', component: () => import('./pages/Hours.vue'), meta: { title: 'nav.hours', needs: ANY } },
    { path: '/numbers', component: () => import('./pages/Numbers.vue'), meta: { title: 'nav.numbers', needs: ANY } },
    {
      path: '/announce',
      component: () => import('./pages/Announce.vue'),
      meta: { title: 'nav.announce', needs: ['manage_incident'] },
    },
    {
      path: '/staffing',
      component: () => import('./pages/Staffing.vue'),
      meta: { title: 'nav.staffing', needs: ['see_reports', 'manage_roster'] },
    },
    { path: '/unit-report', component: () => import('./pages/UnitReport.vue'), meta: { title: 'nav.unit_report', needs: ['see_unit_report'] } },
    { path: '/routing', component: () => import('./pages/Routing.vue'), meta: { title: 'nav.routing', needs: ['edit_routing'] } },
    { path: '/experts', component: () => import('./pages/Experts.vue'), meta: { title: 'nav.experts', needs: ['manage_roster'] } },
    { path: '/deletions', component: () => import('./pages/Deletions.vue'), meta: { title: 'nav.deletions', needs: ['hold_recording'] } },
    { path: '/notices', component: () => import('./pages/Notices.vue'), meta: { title: 'nav.notices', needs: ['edit_notices'] } },
    { path: '/progress', component: () => import('./pages/Progress.vue'), meta: { title: 'nav.progress' } },
    { path: '/audit', component: () => import('./pages/Audit.vue'), meta: { title: 'nav.audit', needs: ['read_audit_log'] } },
    { path: '/privacy', component: () => import('./pages/Privacy.vue'), meta: { title: 'nav.privacy', needs: ['see_identity_requests'] } },
    { path: '/breaks', component: () => import('./pages/Breaks.vue'), meta: { title: 'nav.breaks', needs: ['edit_breaks'] } },
    {
      path: '/alarms',
      component: () => import('./pages/Alarms.vue'),
      meta: { title: 'nav.alarms', needs: ['edit_alarms'] },
    },
    {
      path: '/admin',
      component: () => import('./pages/Admin.vue'),
      meta: { title: 'nav.admin', needs: ['manage_users', 'manage_seats'] },
    },
    { path: '/:rest(.*)*', component: () => import('./pages/Lost.vue') },
  ],
})

/** Where somebody who may not see `to` is sent; undefined lets them in. */
export function gate(to: Pick<RouteLocationNormalized, 'meta' | 'fullPath'>) {
  const session = useSession()
  const { needs } = to.meta
  if (!needs || session.trouble) return undefined
  if (!session.me) return { path: '/login', query: { to: to.fullPath } }
  return !needs.length || needs.some(session.may) ? undefined : { path: '/', query: { refused: '1' } }
}

router.beforeEach((to) => gate(to) ?? true)

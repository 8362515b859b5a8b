/*
 * vito/store/postgres/statements.h - every statement of the store, by name. Each is prepared once
 * a connection.
 */
#ifndef VITO_STORE_POSTGRES_STATEMENTS_H
#define VITO_STORE_POSTGRES_STATEMENTS_H

enum vito_pg_statement {
    VITO_PG_SCOPE,

    VITO_PG_NODE_START,
    VITO_PG_NODE_LEASE,
    VITO_PG_NODE_BATCH,
    VITO_PG_NODE_END,
    VITO_PG_NODE_OPEN_LEGS,
    VITO_PG_NODE_UNRESERVE,
    VITO_PG_NODE_CLOSE_GRANTS,

    VITO_PG_LOAD_BUDGETS,
    VITO_PG_LOAD_GRANTS,
    VITO_PG_LOAD_LEGS,
    VITO_PG_MAKE_HEADS,
    VITO_PG_LOAD_HEADS,
    VITO_PG_LOAD_EVENTS,
    VITO_PG_SAVE_BUDGETS,
    VITO_PG_SAVE_GRANTS,
    VITO_PG_ADD_LEGS,
    VITO_PG_SAVE_LEGS,
    VITO_PG_ADD_EVENTS,
    VITO_PG_SAVE_HEADS,

    VITO_PG_TENANT_PUT,
    VITO_PG_TENANT_GET,
    VITO_PG_TENANT_LIST,
    VITO_PG_TENANT_REMOVE,
    VITO_PG_POLICY_CONFIG_ADD,
    VITO_PG_KEY_ADD,
    VITO_PG_KEY_LIST,
    VITO_PG_KEY_REMOVE,
    VITO_PG_MEMORY_PUT,
    VITO_PG_MEMORY_GET,
    VITO_PG_BUDGET_OPEN,
    VITO_PG_BUDGET_FREEZE_OTHERS,
    VITO_PG_BUDGET_LOCK,
    VITO_PG_BUDGET_RETURN,
    VITO_PG_GRANT_FREE,
    VITO_PG_GRANT_RETURN,
    VITO_PG_AUDIT_LIST,
    VITO_PG_STATEMENT_COUNT,
};

const char *vito_pg_statement_name(enum vito_pg_statement statement);
const char *vito_pg_statement_text(enum vito_pg_statement statement);

#endif

/*
 * What secrets are called, and who may use them.
 */
#include <string.h>

#include "vito/sealed.h"
#include "vito/secrets.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"

enum { PROVIDER_BYTES = 32 };

/* A word of these characters that begins with a letter or a digit. */
static bool
is_word(const char *text, size_t size, const char *characters)
{
    return size > 0 && strchr(LETTERS, text[0]) != NULL && strspn(text, characters) >= size;
}

bool
vito_secret_name_is_valid(const char *name)
{
    size_t size = strlen(name);
    return size < VITO_SECRET_NAME_BYTES && is_word(name, size, LETTERS "_.-");
}

bool
vito_secret_providers_are_valid(const char *providers)
{
    if (strlen(providers) >= VITO_SEALED_PROVIDERS_BYTES)
        return false;
    for (const char *at = providers;; at++) {
        size_t size = strcspn(at, ",");
        if (size >= PROVIDER_BYTES || !is_word(at, size, LETTERS "_-"))
            return false;
        at += size;
        if (*at == '\0')
            return true;
    }
}

bool
vito_secret_providers_have(const char *providers, const char *provider)
{
    size_t wanted = strlen(provider);
    for (const char *at = providers; *at != '\0'; at += *at == ',') {
        size_t size = strcspn(at, ",");
        if (size == wanted && strncmp(at, provider, size) == 0)
            return true;
        at += size;
    }
    return false;
}

bool
vito_secret_provider_of(const char *name, char *provider_out, size_t provider_bytes)
{
    size_t size = strcspn(name, ".");
    if (name[size] == '\0' || size == 0 || size >= provider_bytes)
        return false;
    memcpy(provider_out, name, size);
    provider_out[size] = '\0';
    return true;
}

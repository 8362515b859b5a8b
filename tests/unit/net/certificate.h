/*
 * tests/unit/net/certificate.h - a self-signed certificate for 127.0.0.1, made for one test.
 */
#ifndef TESTS_CERTIFICATE_H
#define TESTS_CERTIFICATE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char certificate_directory[] = "/tmp/twin-test-XXXXXX";
static char certificate_file[64], certificate_key_file[64];

static inline void
certificate_make(void)
{
    cr_assert_not_null(mkdtemp(certificate_directory));
    snprintf(certificate_file, sizeof(certificate_file), "%s/cert.pem", certificate_directory);
    snprintf(certificate_key_file, sizeof(certificate_key_file), "%s/key.pem",
             certificate_directory);
    char command[400];
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 "
             "-keyout %s -out %s 2>/dev/null",
             certificate_key_file, certificate_file);
    cr_assert_eq(system(command), 0, "openssl is needed for this test");
}

static inline void
certificate_remove(void)
{
    unlink(certificate_file);
    unlink(certificate_key_file);
    rmdir(certificate_directory);
}

#endif

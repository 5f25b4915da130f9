// The whole of libcurl that Swift sees. The HTTP target is its only importer.
//
// curl's setters and getters take a variable argument list, which Swift cannot call: below is one function
// for each type of argument that the HTTP target uses.
#include <curl/curl.h>

static inline CURLcode
curl_easy_setopt_long(CURL *easy, CURLoption option, long value)
{
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode
curl_easy_setopt_offset(CURL *easy, CURLoption option, curl_off_t value)
{
    return curl_easy_setopt(easy, option, value);
}

// curl copies the text.
static inline CURLcode
curl_easy_setopt_text(CURL *easy, CURLoption option, const char *value)
{
    return curl_easy_setopt(easy, option, value);
}

// curl keeps the pointer, except for CURLOPT_COPYPOSTFIELDS.
static inline CURLcode
curl_easy_setopt_pointer(CURL *easy, CURLoption option, const void *value)
{
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode
curl_easy_setopt_list(CURL *easy, CURLoption option, struct curl_slist *value)
{
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode
curl_easy_setopt_write(CURL *easy, CURLoption option, curl_write_callback value)
{
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode
curl_easy_setopt_open_socket(CURL *easy, curl_opensocket_callback value)
{
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, value);
}

static inline CURLcode
curl_easy_setopt_before_request(CURL *easy, curl_prereq_callback value)
{
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, value);
}

static inline CURLcode
curl_easy_getinfo_long(CURL *easy, CURLINFO info, long *value)
{
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode
curl_easy_getinfo_offset(CURL *easy, CURLINFO info, curl_off_t *value)
{
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode
curl_easy_getinfo_text(CURL *easy, CURLINFO info, char **value)
{
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode
curl_multi_setopt_long(CURLM *multi, CURLMoption option, long value)
{
    return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode
curl_multi_setopt_pointer(CURLM *multi, CURLMoption option, void *value)
{
    return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode
curl_multi_setopt_socket(CURLM *multi, curl_socket_callback value)
{
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, value);
}

static inline CURLMcode
curl_multi_setopt_timer(CURLM *multi, curl_multi_timer_callback value)
{
    return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, value);
}

// Where the address of a socket to be opened begins: it may be longer than the field it is declared as.
static inline const void *
curl_sockaddr_bytes(const struct curl_sockaddr *address)
{
    return &address->addr;
}

/* github_words - what GitHub's services say, as tests of its queue have them say it (github_hub.h). */
#pragma once

#define MESSAGE(id, type, body)                                                                    \
    "{\"messageId\":" id ",\"messageType\":\"" type "\",\"body\":\"" body "\"}"
#define JOB_ID "10b00000-1111-5222-8333-444444444444"
#define REFERENCE(more)                                                                            \
    MESSAGE(                                                                                       \
        "8123456789012345678", "RunnerJobRequest",                                                 \
        "{\\\"runner_request_id\\\":\\\"" JOB_ID                                                   \
        "\\\",\\\"run_service_url\\\":\\\"@H/run/\\\",\\\"billing_owner_id\\\":\\\"O_1\\\"" more   \
        "}")
#define ACKNOWLEDGED ",\\\"should_acknowledge\\\":true"
#define CANCEL(id)                                                                                 \
    MESSAGE("9", "JobCancellation",                                                                \
            "{\\\"jobId\\\":\\\"" id "\\\",\\\"timeout\\\":\\\"00:05:00\\\"}")
#define PLAN "91a40000-aaaa-4bbb-8ccc-dddddddddddd"
/* A whole job, as the legacy queue brings it. */
#define JOB                                                                                        \
    MESSAGE(                                                                                       \
        "1", "PipelineAgentJobRequest",                                                            \
        "{\\\"messageType\\\":\\\"PipelineAgentJobRequest\\\",\\\"plan\\\":{\\\"planId\\\":"       \
        "\\\"" PLAN                                                                                \
        "\\\",\\\"planType\\\":\\\"actions\\\",\\\"version\\\":12,\\\"scopeIdentifier\\\":"        \
        "\\\"5c0be000-0000-4000-8000-000000000000\\\"},\\\"timeline\\\":{\\\"id\\\":\\\""          \
        "71110000-0000-4000-8000-000000000000\\\"},\\\"jobId\\\":\\\"" JOB_ID                      \
        "\\\",\\\"jobDisplayName\\\":\\\"build\\\",\\\"jobName\\\":\\\"__default\\\","             \
        "\\\"requestId\\\":4711,\\\"resources\\\":{\\\"endpoints\\\":[{\\\"name\\\":\\\""          \
        "SystemVssConnection\\\",\\\"url\\\":\\\"@H/tenant/\\\",\\\"authorization\\\":{"           \
        "\\\"scheme\\\":\\\"OAuth\\\",\\\"parameters\\\":{\\\"AccessToken\\\":\\\"JOB1\\\"}}}]"    \
        "},\\\"steps\\\":[]}")

#define BROKER_ERROR(kind)                                                                         \
    "{\"source\":\"actions-broker-listener\",\"errorKind\":\"" kind                                \
    "\",\"statusCode\":404,\"errorMessage\":\"said so\"}"
#define TENANT_ERROR(key) "{\"typeKey\":\"" key "\",\"message\":\"said so\"}"

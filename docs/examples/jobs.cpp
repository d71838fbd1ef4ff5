// The runner of jobs.c in C++. usage: jobs ENDPOINTS CLUSTER NAME JOBS
#include "client/include/pollux.h"

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

// The string must outlive the call.
plx_bytes bytes_of(const std::string &text)
{
    return plx_bytes{text.data(), text.size()};
}

// Absent and untold are the empty text: no state of a job is empty.
std::string text_of(const plx_response &response)
{
    if (!response.has_value || response.value.data == nullptr)
        return std::string();
    return std::string(static_cast<const char *>(response.value.data), response.value.size_bytes);
}

class Runner {
public:
    Runner(const char *endpoints, const char *cluster, std::string name) : name_(std::move(name))
    {
        plx_options options;
        char reason[256];
        plx_client *client = nullptr;
        plx_options_init(&options);
        options.endpoints = endpoints;
        options.cluster = cluster;
        if (plx_open(&options, &client, reason, sizeof(reason)) != PLX_OK)
            throw std::runtime_error(reason);
        client_.reset(client);
    }

    void run(int number)
    {
        const std::string key = "jobs/" + std::to_string(number);
        const std::string mine = "run " + name_;
        const std::string done = "done " + name_;
        if (!has(key, mine))
            return;
        std::cout << number << ' ' << name_ << std::endl; // ... the work ...
        plx_response response =
            plx_swap(client_.get(), bytes_of(key), bytes_of(done), bytes_of(mine), &patient_);
        if (response.outcome != PLX_OK && response.outcome != PLX_MISMATCH)
            throw std::runtime_error(plx_outcome_text(response.outcome));
    }

private:
    bool has(const std::string &key, const std::string &mine)
    {
        plx_response response =
            plx_swap(client_.get(), bytes_of(key), bytes_of(mine), PLX_ABSENT, &patient_);
        if (response.outcome == PLX_OK)
            return true;
        if (response.outcome != PLX_MISMATCH)
            throw std::runtime_error(plx_outcome_text(response.outcome));
        if (text_of(response).empty())
            response = plx_get(client_.get(), bytes_of(key), &patient_);
        return text_of(response) == mine;
    }

    struct Close {
        void operator()(plx_client *client) const { plx_close(client); }
    };

    std::string name_;
    std::unique_ptr<plx_client, Close> client_;
    plx_call patient_ = blocking();

    static plx_call blocking()
    {
        plx_call call = plx_call();
        call.is_blocking = true;
        return call;
    }
};

} // namespace

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    try {
        Runner runner(argv[1], argv[2], argv[3]);
        const int count = std::stoi(argv[4]);
        for (int i = 0; i < count; i++)
            runner.run(i);
    } catch (const std::exception &error) {
        std::cerr << "jobs: " << error.what() << '\n';
        return 1;
    }
    return 0;
}

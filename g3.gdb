set pagination off
thread apply all bt 6

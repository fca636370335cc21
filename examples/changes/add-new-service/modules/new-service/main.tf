# The new service: where its application runs. What the application itself is, its own pipeline deploys.

resource "aws_ecs_service" "new_service" {
  name            = "new-service"
  cluster         = var.cluster_arn
  task_definition = var.placeholder_task_definition_arn
  desired_count   = var.desired_count
  launch_type     = "FARGATE"

  # Never fewer than wanted during a deployment, and back to the last good one by itself.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = false
  }

  # Every deployment of the application brings a task definition, of which this repository knows nothing.
  lifecycle {
    ignore_changes = [task_definition]
  }
}

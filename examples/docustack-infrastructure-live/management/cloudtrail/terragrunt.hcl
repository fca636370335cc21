include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../modules//cloudtrail"
}

dependency "scps" {
  config_path = "../scps"

  mock_outputs_allowed_terraform_commands = include.root.locals.commands_with_mocks
  mock_outputs_merge_strategy_with_state  = "shallow"
  mock_outputs = {
    organization_id = "o-mock"
  }
}

inputs = {
  name            = "docustack-organization"
  region          = include.root.locals.region
  bucket          = "docustack-cloudtrail-${include.root.locals.env.account_id}"
  organization_id = dependency.scps.outputs.organization_id
  retention_days  = include.root.locals.env.cloudtrail.retention_days
}
